// Stands in a bundle for the package "readable-stream", which is a copy of this.
module.exports = require('node:stream');
