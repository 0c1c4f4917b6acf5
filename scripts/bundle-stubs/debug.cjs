// Stands in a bundle for the package "debug": nobody sets DEBUG on a device.
const silent = Object.assign(() => {}, { enabled: false, extend: () => silent });
module.exports = Object.assign(() => silent, { default: () => silent });
