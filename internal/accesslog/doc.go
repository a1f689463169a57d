// Package accesslog keeps, for a shop that must, who was online and when:
// sealed, apart from everything else, and for nobody's marketing.
//
// It is off unless the owner switches it on (R-LOG-1). It knows sessions: a
// random id, the device's address, the addresses that it was lent, when it
// began and ended, and in mode vn_333 the router's own addresses towards the
// internet and whether a number was proved. It never learns a number, a lead
// key, a consent, a destination or a name that was asked for (R-LOG-2): nothing
// of these is handed to it, and a test holds that it imports neither the
// record nor what knows consents.
//
// What it writes it cannot read: each group of entries is sealed (HPKE) to a
// public key whose private half is on no router, and which is not the one that
// seals numbers. hien-unseal opens it, for a lawful request, and writes down
// who asked (R-LOG-4).
//
// One file holds a month. A file is a row of records, each of which is
//
//	"HAL1"            4 bytes
//	length            4 bytes, big endian, of what is sealed
//	key               4 bytes, the beginning of SHA-256 of the public key
//	checksum          4 bytes, CRC-32 (IEEE) of what is sealed
//	what is sealed    HPKE, RFC 9180; info "hien access log v1", associated
//	                  data "<month> <offset of the record in its file>"
//
// and seals entries as JSON, one in each line. A record that a power cut left
// half written is cut off when the file is opened again; damage before other
// records is left where it is, and passed over when the file is read.
//
// Entries wait in memory until there are enough of them for one write, or a
// minute has gone by: flash wears by the write. That minute is what a power cut
// can cost. Retention is the deletion of whole files.
package accesslog
