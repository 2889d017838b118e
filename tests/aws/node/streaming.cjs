// Answers as its event says, the way AWS's guide does it behind API Gateway.
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  const answer = awslambda.HttpResponseStream.from(stream, event.prelude);
  for (const piece of event.pieces) {
    await new Promise((sent) => answer.write(piece, sent));
  }
  if (event.fails) {
    throw Object.assign(new Error("a prompt"), { name: "LookupError" });
  }
  answer.end();
});
