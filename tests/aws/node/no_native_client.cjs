// Stands for the part of aws-lambda-ric that is compiled at its installation. It is loaded, and with
// AWS_LAMBDA_NODEJS_USE_ALTERNATIVE_CLIENT_1 not called by a function whose answers are streamed.
const Module = require("node:module");

const resolve = Module._resolveFilename;
Module._resolveFilename = function (name, ...rest) {
  return name === "./rapid-client.node" ? __filename : resolve.call(this, name, ...rest);
};
