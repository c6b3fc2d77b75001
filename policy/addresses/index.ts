/** IP addresses and address blocks: each is read into one canonical text, so that texts can be compared and looked up. */

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
} from './cidr.ts';
