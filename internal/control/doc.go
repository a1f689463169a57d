// Package control is the daemon's face for its owner on the router: a unix
// socket in run_dir that only its owner may open, on which `hien status`,
// `hien guests` and their like ask a living daemon, and the tables in which
// they print what it answers.
//
// The socket speaks HTTP and JSON, so that `curl --unix-socket` can ask too.
// It has mode 0600: who may open it is root (or the user as whom Hiên runs),
// who could read the record and the livebook as well. So the peer is not
// asked who it is; who gives an order says so himself, for the audit. Nothing on it is reachable from a network.
package control
