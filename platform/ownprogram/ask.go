package ownprogram

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strings"
	"time"
)

// Takeover numbers the agreement by which one updater takes an update over from
// another; see docs/self-update.md. A program says in `version --json` which
// agreement it keeps.
const Takeover = 1

// answerTimeout is how long a program may take to answer.
const answerTimeout = 20 * time.Second

// Answer is what a program says of itself.
type Answer struct {
	Version string `json:"version"`
	// Takeover is 0 for a program that is older than the agreement.
	Takeover int `json:"takeover"`
}

// Ask runs a copy to learn whether this device can run it at all, and which
// version it is. An error says why it cannot be run.
func Ask(ctx context.Context, c Copy) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Path, "version", "--json")
	cmd.Env = []string{} // no socket to notify, nothing inherited
	cmd.Dir = "/"
	cmd.WaitDelay = time.Second
	var out, errs answerBuffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("no answer within %s: %w", answerTimeout, context.Cause(ctx))
		}
		if p := (*fs.PathError)(nil); errors.As(err, &p) {
			err = p.Err // the path is told already
		}
		return Answer{}, fmt.Errorf("%s version: %w%s", c.Path, err, said(errs.kept.String()))
	}
	var a Answer
	if err := json.Unmarshal(out.kept.Bytes(), &a); err != nil {
		return Answer{}, fmt.Errorf("%s version: it is not an updater: %w", c.Path, err)
	}
	return a, nil
}

// answerBuffer keeps the first longestAnswer bytes and swallows the rest: a program that
// prints without end is none of the updater's, and must not cost it its memory.
type answerBuffer struct{ kept bytes.Buffer }

const longestAnswer = 64 << 10

func (b *answerBuffer) Write(p []byte) (int, error) {
	b.kept.Write(p[:min(len(p), longestAnswer-b.kept.Len())])
	return len(p), nil
}

func said(text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	return ": " + text[:min(len(text), 300)]
}
