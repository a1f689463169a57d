// Package backup writes and reads the owner's backup: all that a router cannot
// get back from anywhere else, in one file that only the owner's key opens.
//
// The file is an age file (age-encryption.org/v1) around a tar archive, so that
// an owner without this program can open it too: `age -d -i KEY FILE | tar t`.
// Its parts stand in a fixed order, the small ones before the record, so that
// whoever reads it knows what is coming before there is anything large. age
// notices a file that was cut off or changed in any byte; nothing of such a
// file is taken over.
//
// The package opens no database and knows no place where things belong: it
// moves bytes.
package backup
