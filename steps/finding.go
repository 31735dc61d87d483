package steps

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Preflight is what was found on the device before a switch, with nothing touched yet.
type Preflight struct {
	// Baseline is the gate's verdict on the version that runs; nil when none does.
	Baseline json.RawMessage
	// Findings are in the order in which a person would act on them: the fatal ones first.
	Findings []Finding
}

// Finding is one thing that a preflight has found.
type Finding struct {
	// Fatal: a switch would leave the device with services that do not run as they should.
	Fatal bool `json:"fatal,omitempty"`
	Code  Code `json:"code"`
	// Text says what was found: the unit, the setting, the path.
	Text string `json:"text"`
	// Hint says what to change.
	Hint string `json:"hint,omitempty"`
}

// String is the finding in one line.
func (f Finding) String() string {
	if f.Hint == "" {
		return f.Text
	}
	return f.Text + "; " + f.Hint
}

// Bounds of the findings of one preflight: they are kept in the journal.
const (
	MaxFindings    = 32
	maxFindingText = 400
)

// Bounded returns at most MaxFindings findings, of bounded length, the fatal ones first.
func Bounded(all []Finding) []Finding {
	var list []Finding
	for _, fatal := range []bool{true, false} {
		for _, f := range all {
			if f.Fatal != fatal {
				continue
			}
			f.Text, f.Hint = cut(f.Text), cut(f.Hint)
			list = append(list, f)
		}
	}
	if len(list) <= MaxFindings {
		return list
	}
	rest := len(list) - MaxFindings + 1
	last := Finding{Fatal: list[MaxFindings-1].Fatal, Code: list[MaxFindings-1].Code, Text: fmt.Sprintf("and %d more", rest)}
	return append(list[:MaxFindings-1:MaxFindings-1], last)
}

func cut(s string) string {
	if len(s) <= maxFindingText {
		return s
	}
	return strings.ToValidUTF8(s[:maxFindingText], "") + "…"
}

// Refusal is the error of a preflight; nil when no finding is fatal. It tells the first
// of them in full. The release is not to blame: the device is as it was, and a change to
// it, or another release, makes the update possible.
func Refusal(all []Finding) error {
	var first *Finding
	more := 0
	for i, f := range all {
		switch {
		case !f.Fatal:
		case first == nil:
			first = &all[i]
		default:
			more++
		}
	}
	if first == nil {
		return nil
	}
	e := &Error{Class: Local, Code: first.Code, Err: errors.New(first.Text), Hint: first.Hint}
	if more > 0 {
		e.Err = fmt.Errorf("%w (and %d more)", e.Err, more)
	}
	return e
}
