// node validate.cjs MODULES SCHEMAS: reads lines of {"schema": id, "value": ...}, writes a line of errors (or null) each.
const [modules, folder] = process.argv.slice(2);
const load = (name) => require(require.resolve(name, {paths: [modules]}));
const fs = require("fs");
const path = require("path");
const ajv = new (load("ajv/dist/2020").default)({strict: true, strictTypes: true, strictTuples: true, allErrors: true});
load("ajv-formats").default(ajv);
for (const name of fs.readdirSync(folder).sort()) ajv.addSchema(JSON.parse(fs.readFileSync(path.join(folder, name))));
for (const line of fs.readFileSync(0, "utf8").split("\n").filter(Boolean)) {
  const {schema, value} = JSON.parse(line);
  const check = ajv.getSchema(schema);
  console.log(JSON.stringify(check(value) ? null : check.errors));
}
