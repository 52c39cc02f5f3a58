// Pages without anything of their own: the bar alone.
import { follow } from "./bar.js";

follow(() => undefined);
