// Stands in a bundle for node:assert, of which one function is used.
module.exports = (value, message) => {
  if (!value) throw new Error(message);
};
