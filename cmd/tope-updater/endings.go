package main

import (
	"os"
	"os/signal"
	"syscall"
)

// outliveReaders keeps the program alive when the reader of its standard output or
// error goes away ("install ... | head -1"): Go would end it for that, also while
// services are stopped. Processes that it starts are not affected.
func outliveReaders() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
}

// endWithTerminal lets the program end in order when its terminal goes away, unless
// it was started to outlive that (nohup). The function that it returns ends the watch.
func (a *app) endWithTerminal() (stop func()) {
	if a.end == nil || signal.Ignored(syscall.SIGHUP) {
		return func() {}
	}
	hup := make(chan os.Signal, 1)
	over := make(chan struct{})
	signal.Notify(hup, syscall.SIGHUP)
	go func() {
		select {
		case <-hup:
			a.end()
		case <-over:
		}
	}()
	return func() { close(over) }
}
