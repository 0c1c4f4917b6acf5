// Stands in a bundle for node:worker_threads, which the log asks for one thing only.
exports.isMainThread = true;
