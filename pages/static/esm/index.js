export * from "./format.js";
export * from "./freshness.js";
