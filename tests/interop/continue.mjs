// Lets llama.cpp continue token ids greedily, and prints the ids that it adds:
//   node continue.mjs MODEL.gguf ADAPTER.gguf|none COUNT ID,ID,...
// Run it with the folder that holds node_modules as working directory.
import {createRequire} from "node:module";
import {pathToFileURL} from "node:url";

const require = createRequire(process.cwd() + "/");
const {getLlama} = await import(pathToFileURL(require.resolve("node-llama-cpp")));
const [modelPath, adapter, count, ids] = process.argv.slice(2);

// One thread: more would spin while they wait for each other.
const llama = await getLlama({build: "never", gpu: false, maxThreads: 1, logLevel: "error"});
const model = await llama.loadModel({modelPath});
const context = await model.createContext({
  contextSize: ids.split(",").length + Number(count),
  threads: 1,
  // By default they are rounded to half precision, which decides between words that are nearly as likely.
  experimentalKvCacheKeyType: "F32",
  experimentalKvCacheValueType: "F32",
  lora: adapter === "none" ? undefined : {adapters: [{filePath: adapter}]},
});
const added = [];
const options = {temperature: 0, yieldEogToken: true};
for await (const token of context.getSequence().evaluate(ids.split(",").map(Number), options)) {
  added.push(token);
  if (added.length === Number(count)) break;
}
console.log(JSON.stringify(added));
process.exit(0);
