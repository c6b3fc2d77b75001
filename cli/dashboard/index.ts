/** `sluice dashboard`: observed flows, denials, policies and pods as a page for the user's own browser. */
export { type BuiltPage, buildPage } from './build_page.ts';
export { runDashboard } from './dashboard.ts';
