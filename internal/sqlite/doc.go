// Package sqlite keeps the record: what must outlive a power cut.
//
// The record is one SQLite file with one connection. It holds the consent
// ledger and what stands beside it, the notices by hash, the leads with their
// standing answers, member marks and visits, and the queue of events that
// wait for the courier. What belongs together is one transaction.
//
// SQLite's own settings, and the driver's, are not safe against power cuts.
// Open therefore chooses one of two sets that are, and holds the connection
// to it: a write-ahead log with an exclusive lock and synchronous=FULL, or,
// where that does not work, a truncated rollback journal with
// synchronous=EXTRA. Plain WAL is neither safe nor does it open on JFFS2.
//
// Both keep every other process out for as long as the store is open, a
// reader too. Whoever wants to look inside asks the living daemon through its
// control socket, and opens the file only when no daemon runs (OpenLedger).
//
// Deleted rows are overwritten (secure_delete), and after a withdrawal the
// log is emptied too, so that what was erased is not left in the file.
package sqlite
