// Package consent keeps what a person was asked, what the person answered,
// and the proof of both.
//
// A Notice is the exact wording put before a person and is known by its
// SHA-256. A Consent is the answer to it, purpose by purpose. The ledger is
// the append-only list of consents and withdrawals of one router: each entry
// carries the hash of the one before and the router's Ed25519 signature, so
// that nobody, the shop included, can change, drop or reorder an entry
// without it being seen.
//
// An entry names its subject by a random id and holds no phone number, MAC
// address, IP address or name. What the law asks to be provable beyond that
// (address, device, browser, the number proven) enters as a commitment,
// SHA-256(salt ‖ value); salt and value are kept beside the ledger and go
// with an erasure, and the chain stays verifiable.
//
// The package is the ground floor of the house: it imports the standard
// library only, and does no input or output.
package consent
