/** How often, at most, lines of one kind are logged. */

/** Errors of single connections come by the thousand when something is wrong: one line per interval says enough, ms. */
export const ERROR_LOG_MS = 1_000;

/** What is tried again every few seconds fails as often; what the guard drops may come in floods, ms. */
export const REPEATED_LOG_MS = 10_000;
