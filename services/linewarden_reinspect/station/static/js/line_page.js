// The page of the line with the bar on top; Enter goes to the next part, as on the queue's page.
import { follow } from "./bar.js";
import "./line.js";

follow(() => undefined);
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && document.querySelector('.ways a[href="/review"]') && !event.target.closest("a, button, input")) location.assign("/review");
});
