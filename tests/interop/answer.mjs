// Lets llama.cpp tokenize texts and answer prompts greedily. Reads {"texts": […], "prompts": […], "tokens": N} from
// stdin; a prompt is a rendered conversation, whose special tokens are read as such. Prints {"ids": [[…]], "answers":
// [{"prompt": [ids], "added": [ids], "text": "…"}]}.
//   node answer.mjs MODEL.gguf <REQUEST.json
// Run it with the folder that holds node_modules as working directory.
import {readFileSync} from "node:fs";
import {createRequire} from "node:module";
import {pathToFileURL} from "node:url";

const require = createRequire(process.cwd() + "/");
const {getLlama} = await import(pathToFileURL(require.resolve("node-llama-cpp")));
const request = JSON.parse(readFileSync(0, "utf8"));

const llama = await getLlama({build: "never", gpu: false, maxThreads: 2, logLevel: "error"});
const model = await llama.loadModel({modelPath: process.argv[2]});
const ids = request.texts.map((text) => [...model.tokenize(text, false)]);
const answers = [];
for (const prompt of request.prompts) {
  const tokens = model.tokenize(prompt, true);
  const context = await model.createContext({
    contextSize: tokens.length + request.tokens,
    threads: 2,
    experimentalKvCacheKeyType: "F32",
    experimentalKvCacheValueType: "F32",
  });
  const added = [];
  for await (const token of context.getSequence().evaluate(tokens, {temperature: 0, yieldEogToken: true})) {
    added.push(token);
    if (added.length === request.tokens || model.isEogToken(token)) break;
  }
  answers.push({prompt: [...tokens], added, text: model.detokenize(added, false)});
  await context.dispose();
}
console.log(JSON.stringify({ids, answers}));
process.exit(0);
