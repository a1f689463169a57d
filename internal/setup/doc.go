// Package setup makes a shop's router a gateway of Hiên, and takes that back.
//
// Planning is a pure function: what the router's files in /etc/config say, and
// what the owner answers, become a list of changes ([Router.Plan]). They touch
// sections that bear our own names (names.go) and no others; where a name, an
// address or a firewall zone is taken, nothing is planned and a [Refusal] says
// what is in the way. LAN, WAN and the router's own pages are never touched.
//
// Making the changes ([Setup.Try]) is a trial. The files as they were are
// first kept on flash, and a process of its own watches: unless the owner
// confirms within [Patience], everything is put back, also when the owner's
// connection is gone, also after a power cut in between: the machine's start
// calls [Setup.Recover] before its network comes up.
//
// On a router without OpenWrt's files only /etc/config/hien is written.
package setup
