/**
 * How hard a passphrase is to guess.
 *
 * @module
 */

/** Rounds of the key derivation: under a second for node-forge, and within what browsers take. */
export const iterations = 100_000;
