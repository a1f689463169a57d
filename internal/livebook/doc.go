// Package livebook is the book of who is in the shop now: guests, their
// passes, when they were last seen, half-finished forms and the counts of
// codes sent.
//
// It is one bbolt file on tmpfs, so that it outlives a crash or an upgrade of
// the daemon and spares the flash. It may be lost: in a power cut, when the
// file is damaged, when its layout changes. Guests then see the portal again
// and nothing else happens. It therefore never holds a consent, nor a
// readable number: the number in a half-finished form is sealed by the
// caller.
//
// What is promised:
//
//   - A change that was acknowledged is there after the daemon was killed.
//     Nothing is synced, as tmpfs has nothing to sync to: what a write put
//     into the page cache outlives the process that wrote it.
//   - A file that was cut short, or filled with anything else, never stops or
//     kills the daemon. bbolt maps its file and trusts it: a page that is
//     missing is a SIGBUS, a page that is wrong a panic in a goroutine of
//     bbolt's own, and neither can be caught. So the file is read through and
//     checked before bbolt sees it, see [Open].
//   - The book is bounded, whatever stands on the guest network and draws
//     itself new addresses: see [Options.MaxGuests].
//   - Times in it are of one boot. A book of another boot is begun anew.
package livebook
