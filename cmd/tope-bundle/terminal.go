package main

// This file owns the text that the program writes for people: answers go to
// standard output, everything else to standard error; no capitals at the
// beginning, no full stop at the end.

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/tope/updater/platform/printable"
	"github.com/tope/updater/steps"
)

type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exitCode is the one switch from errors to exit codes.
func exitCode(err error) int {
	var use usageError
	var step *steps.Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &use):
		return 2
	case errors.As(err, &step) && step.Class == steps.Refused:
		return 10
	}
	return 1
}

func (a *app) fail(err error) {
	if a.json {
		// It has a string and a number, and always becomes JSON.
		text, _ := json.Marshal(map[string]any{"error": err.Error(), "exit": exitCode(err)})
		fmt.Fprintf(a.err, "%s\n", printable.JSON(text))
		return
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		a.note("tope-bundle: %s", line)
	}
}

// say prints a line of the answer. Names in it come from bundles, and command no terminal.
func (a *app) say(format string, args ...any) {
	fmt.Fprintln(a.out, printable.Line(fmt.Sprintf(format, args...)))
}

// note prints a line beside the answer.
func (a *app) note(format string, args ...any) {
	fmt.Fprintln(a.err, printable.Line(fmt.Sprintf(format, args...)))
}

func (a *app) document(v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "%s\n", printable.JSON(text))
	return err
}

// progress returns a function that shows how far long work is: on a terminal a
// line that moves, elsewhere a line for each stage.
func (a *app) progress() func(what string, done, total int64) {
	f, ok := a.err.(*os.File)
	live := ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
	last, shown := "", time.Time{}
	return func(what string, done, total int64) {
		switch {
		case a.quiet || total <= 0:
		case live && (time.Since(shown) > 100*time.Millisecond || done == total):
			fmt.Fprintf(a.err, "\r\x1b[K%s %d %%", printable.Line(what), done*100/total)
			if done == total {
				fmt.Fprintln(a.err)
			}
			shown = time.Now()
		case !live && what != last:
			a.note("%s", what)
		}
		last = what
	}
}

// bytesOf writes a size for people.
func bytesOf(n int64) string {
	switch {
	case n >= 10<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 10<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d bytes", n)
}
