// A control's view of the OPC UA output, by node-opcua: one JSON object a line on stdout.
// node opcua_read.cjs MODULES URL CERTIFICATE KEY PKI LINE USER PASSWORD
const fs = require("fs");
const { createRequire } = require("module");
const [modules, url, certificateFile, privateKeyFile, rootFolder, line, userName, password] = process.argv.slice(2);
const say = (what) => fs.writeSync(1, JSON.stringify(what) + "\n");
console.log = console.warn = console.error; // node-opcua's own words
const load = createRequire(modules + "/package.json");
const ua = load("node-opcua-client");
const { OPCUACertificateManager } = load("node-opcua-certificate-manager");

const VISION = "http://opcfoundation.org/UA/MachineVision";

setTimeout(() => {
  console.error("not done in time");
  process.exit(2);
}, 45_000).unref();

async function main() {
  const clientCertificateManager = new OPCUACertificateManager({
    automaticallyAcceptUnknownCertificate: true,
    rootFolder,
  });
  const client = ua.OPCUAClient.create({
    applicationUri: "urn:linewarden:test-client",
    certificateFile,
    privateKeyFile,
    clientCertificateManager,
    securityMode: ua.MessageSecurityMode.SignAndEncrypt,
    securityPolicy: ua.SecurityPolicy.Basic256Sha256,
    endpointMustExist: true,
    connectionStrategy: { maxRetry: 1 },
  });
  await client.connect(url);
  const session = await client.createSession({ type: ua.UserTokenType.UserName, userName, password });
  const namespaces = await session.readNamespaceArray();
  const own = namespaces.indexOf("urn:linewarden:onward");
  const vision = namespaces.indexOf(VISION);
  const place = (...names) => `ns=${own};s=${[line, ...names].join(".")}`;
  const value = async (nodeId) => (await session.readVariableValue(nodeId)).value.value;
  const child = async (nodeId, path) => {
    const found = await session.translateBrowsePath(ua.makeBrowsePath(nodeId, path));
    return found.targets[0].targetId;
  };

  const machine = await child(place(), `/${vision}:VisionStateMachine`);
  const current = await child(machine, "/0:CurrentState");
  const type = await session.read({ nodeId: await child(current, "/0:Id"), attributeId: ua.AttributeIds.Value });
  const kinds = await session.browse({ nodeId: place(), referenceTypeId: "HasTypeDefinition", resultMask: 63 });
  say({
    state: (await value(current)).text,
    stateId: type.value.value.toString(),
    kind: kinds.references[0].nodeId.toString(),
    vision,
  });

  const subscription = await session.createSubscription2({ requestedPublishingInterval: 50, publishingEnabled: true });
  const names = [`${vision}:ResultId`, `${vision}:ResultState`, `${own}:Sequence`, `${own}:Permission`];
  const filter = ua.constructEventFilter(names, ua.ofType(`ns=${vision};i=1024`));
  const item = await subscription.monitor(
    { nodeId: "i=2253", attributeId: ua.AttributeIds.EventNotifier },
    { filter, queueSize: 100, samplingInterval: 0 },
    ua.TimestampsToReturn.Both,
  );
  const heard = new Promise((resolve) => item.on("changed", (fields) => resolve(fields.map((field) => field.value))));
  say({ ready: true });
  const [id, state, sequence, permission] = await heard;
  say({ id: id.id, resultState: state, sequence, permission: permission.map(([high, low]) => high * 2 ** 32 + low) });

  const results = place("ResultManagement");
  const asked = await session.constructExtensionObject(ua.resolveNodeId(`ns=${vision};i=3021`), { id: id.id });
  const byId = await session.call({
    objectId: results,
    methodId: await child(results, `/${vision}:GetResultById`),
    inputArguments: [
      { dataType: ua.DataType.ExtensionObject, value: asked },
      { dataType: ua.DataType.Int32, value: 0 },
    ],
  });
  const result = byId.outputArguments[1].value;
  say({ error: byId.outputArguments[2].value, partId: result.partId.id, content: JSON.parse(result.resultContent[0].value).id });
  const since = await session.call({
    objectId: results,
    methodId: place("ResultManagement", "GetResultsSince"),
    inputArguments: [
      { dataType: ua.DataType.Int64, arrayType: ua.VariantArrayType.Scalar, value: [0, 0] },
      { dataType: ua.DataType.UInt32, value: 0 },
    ],
  });
  say({ isGap: since.outputArguments[1].value, sequences: Array.from(since.outputArguments[2].value) });
  const halt = await session.call({
    objectId: machine,
    methodId: await child(machine, `/${vision}:Halt`),
    inputArguments: [],
  });
  say({ halt: halt.statusCode.name });
  const written = await session.write({
    nodeId: place("Gate", "Heartbeat"),
    attributeId: ua.AttributeIds.Value,
    value: { value: { dataType: ua.DataType.UInt32, value: 7 } },
  }).then((code) => code.name, (error) => error.message);
  say({ written });
  await session.close();
  await client.disconnect();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
