export { evaluateRun } from "./evaluate.ts";
