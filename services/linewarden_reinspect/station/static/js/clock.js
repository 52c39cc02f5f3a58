// The server's clock, as the newest answer or event told it: what was asked for long ago tells nothing of now.
let skewMs = 0;

export const serverNow = () => Date.now() + skewMs;
export const learnClock = (nowMs) => { skewMs = nowMs - Date.now(); };
