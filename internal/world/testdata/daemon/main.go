// Command daemon says that it is ready, echoes its environment's WORD, and
// ends in order when it is told to.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	fmt.Fprintln(os.Stderr, "ready")
	fmt.Println("word:", os.Getenv("WORD"))
	<-ctx.Done()
	fmt.Fprintln(os.Stderr, "stopping")
	if os.Getenv("WORD") == "bad" {
		os.Exit(3)
	}
}
