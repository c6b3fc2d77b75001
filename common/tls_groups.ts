/**
 * Groups for the key exchange of TLS 1.3, the first is preferred: X25519 together with ML-KEM-768, so that what is recorded
 * today stays closed to a quantum computer. Source: draft-ietf-tls-ecdhe-mlkem; `ecdhCurve` of tls.md.
 */
export const TLS_GROUPS = 'X25519MLKEM768:X25519:prime256v1';
