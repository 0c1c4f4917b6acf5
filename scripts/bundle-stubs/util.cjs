// Stands in a bundle for node:util, of which docker-modem uses two: `inspect` is for a line that nobody reads, and takes as
// long as the rest of a request.
exports.inspect = () => '';
exports.inherits = require('node:util').inherits;
