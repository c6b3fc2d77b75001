// A kernel without CONFIG_INET_DIAG_DESTROY, for a sidecar: loaded before it by NODE_OPTIONS, it has the addon say so.
const EOPNOTSUPP = 95;

const dlopen = process.dlopen;
process.dlopen = (module, ...rest) => {
  dlopen(module, ...rest);
  if (module.exports.destroySockets === undefined) return;
  module.exports.destroySockets = (_list, results) => {
    results.fill(-EOPNOTSUPP);
    return Promise.resolve(0);
  };
};
