/** The lists: denials, policies, pods. */

export { DeniedView } from './denied_view.tsx';
export { PodsView } from './pods_view.tsx';
export { PoliciesView } from './policies_view.tsx';
