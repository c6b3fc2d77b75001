/** The face of `policy/addresses/`: what other parts may use. */

export { familyOf } from '../../common/net.ts';
export {
  type AddressWords,
  canonicalAddress,
  formatAddress,
  isLoopback,
  parseAddress,
  socketAddress,
} from './address.ts';
export {
  type Cidr,
  cidrContains,
  formatCidr,
  isStrictSubset,
  maskWords,
  parseCidr,
  type WrittenCidr,
} from './cidr.ts';
