// What a decoder of another make reads in Sparkplug payloads: one of hex a line on stdin, one JSON object a line on stdout.
// node sparkplug_read.cjs MODULES
const { createRequire } = require("module");
const load = createRequire(process.argv[2] + "/package.json");
const { decodePayload } = load("sparkplug-payload").get("spBv1.0");
const plain = (_name, value) => (value && typeof value.toNumber === "function" ? value.toNumber() : value);

for (const line of require("fs").readFileSync(0, "utf8").trim().split("\n")) {
  process.stdout.write(JSON.stringify(decodePayload(Buffer.from(line, "hex")), plain) + "\n");
}
