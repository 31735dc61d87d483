package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi"
)

// With these variables a program informs the one that takes its place by exec;
// see docs/self-update.md. The names are an agreement between releases.
const (
	// trialVariable is set for a program that is not committed.
	trialVariable = "TOPE_UPDATER_TRIAL"
	// socketsVariable has the numbers of the sockets that the program inherits.
	socketsVariable = "TOPE_UPDATER_SOCKETS"
)

// handed is the information from the program whose place this one took.
type handed struct {
	trial   bool
	sockets []int
}

// receive reads the variables and unsets them, so that the hooks and health
// commands of this program do not inherit them.
func receive() (handed, error) {
	h := handed{trial: os.Getenv(trialVariable) != ""}
	list := os.Getenv(socketsVariable)
	err := errors.Join(os.Unsetenv(trialVariable), os.Unsetenv(socketsVariable))
	for _, s := range strings.Fields(list) {
		n, cerr := strconv.Atoi(s)
		if cerr != nil {
			return h, fmt.Errorf("cannot read %s: %w", socketsVariable, cerr)
		}
		h.sockets = append(h.sockets, n)
	}
	return h, err
}

// listeners are the sockets handed over, or, where there are none, systemd's.
func (h handed) listeners() ([]net.Listener, error) {
	if len(h.sockets) > 0 {
		return httpapi.Received(h.sockets)
	}
	return inherited()
}

// become replaces this process by the other program, with the same arguments,
// process id, sockets and place under systemd's watch. The journal is closed and
// says what is to happen; nothing else is at work. It returns only when it
// fails: then this process ends, and systemd starts the committed program.
func become(over *engine.TakeOver, sockets []*os.File) error {
	fds, err := httpapi.PassOn(sockets)
	if err != nil {
		return err
	}
	numbers := make([]string, len(fds))
	for i, fd := range fds {
		numbers[i] = strconv.Itoa(fd)
	}
	env := append(os.Environ(), socketsVariable+"="+strings.Join(numbers, " "))
	if over.Trial {
		env = append(env, trialVariable+"=1")
	}
	args := append([]string{over.Path}, os.Args[1:]...)
	return fmt.Errorf("cannot start the updater at %s: %w", over.Path, syscall.Exec(over.Path, args, env))
}
