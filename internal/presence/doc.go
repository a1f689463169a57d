// Package presence knows who is on a guest network: by the frames with which
// a phone asks for an address and looks for its neighbours, and by the
// kernel's table of neighbours.
//
// It has three parts. A [Decoder] makes a sighting of a frame; it is a
// function of the frame's bytes, and no frame can make it panic past it. A
// [Sniffer] reads such frames from a packet socket, with a filter in the
// kernel that lets nothing else through and cuts what passes. [Neighbours]
// asks the kernel which device has an address and which addresses a device
// has; [WaitLink] and [LinkGone] follow an interface that comes and goes.
//
// Nobody's access depends on the first two: who stands before the portal is
// told by the socket and the neighbour table. Losing the sniffer loses how
// long a stay was, and nothing else.
//
// What is seen is only as true as a guest's word. A MAC in a frame's source is
// what the access point has checked the device for; any other MAC in the
// frame is taken only where it is the same, so that nobody is sighted by what
// another device says.
//
// Sockets are opened in the network namespace of the calling thread.
package presence
