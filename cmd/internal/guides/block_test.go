package guides_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const docs = "../../../docs"

// tour is the order in which the guides are run: each goes on with the device
// as the one before it left it.
func tour() []string {
	return []string{
		"DEPLOYMENT.md", "SYMLINKS.md", "ROLLBACK.md", "RECOVERY.md", "FAQ.md",
	}
}

// kind is what to do with a block.
type kind string

const (
	shown  kind = "shown"  // run, and its output compared
	hidden kind = "hidden" // run; readers do not see it
	cut    kind = "cut"    // no commands: the power goes
	unrun  kind = "unrun"  // for reading only
)

// block is one piece of a guide that means something to the test.
type block struct {
	kind kind
	line int
	text string
	exit int // of the last command
	// fresh: on a device of its own; there: on the last one of those.
	fresh, there bool
	why          string // it is not run
}

var (
	fence   = regexp.MustCompile("^```(.*)$")
	unseen  = regexp.MustCompile("^<!-- run( fresh)?$")
	notRun  = regexp.MustCompile(`^<!-- not run: (.+) -->$`)
	exiting = regexp.MustCompile(`\bexit=(\d+)\b`)
)

// blocks reads a guide.
func blocks(t *testing.T, path string) []block {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var all []block
	var why string
	lines := strings.Split(string(data), "\n")
	for i := 0; i < len(lines); i++ {
		line, at := lines[i], i+1
		until := func(end string) string {
			begin := i + 1
			for i++; i < len(lines) && lines[i] != end; i++ {
			}
			require.Less(t, i, len(lines), "%s:%d: no end", path, at)
			return strings.Join(lines[begin:i], "\n")
		}
		switch {
		case line == "<!-- power cut -->":
			all = append(all, block{kind: cut, line: at})
		case unseen.MatchString(line):
			all = append(all, block{kind: hidden, line: at, text: until("-->"), fresh: strings.HasSuffix(line, "fresh")})
		case notRun.MatchString(line):
			why = notRun.FindStringSubmatch(line)[1]
			continue
		case fence.MatchString(line):
			info := strings.Fields(fence.FindStringSubmatch(line)[1])
			b := block{line: at, text: until("```"), kind: unrun, why: why}
			if len(info) == 0 || info[0] != "sh" {
				break
			}
			if len(info) > 1 && info[1] == "run" {
				b.kind = shown
			}
			b.fresh, b.there = slices.Contains(info, "fresh"), slices.Contains(info, "there")
			if m := exiting.FindStringSubmatch(strings.Join(info, " ")); m != nil {
				_, _ = fmt.Sscan(m[1], &b.exit)
			}
			all = append(all, b)
		case strings.TrimSpace(line) == "":
			continue
		}
		why = ""
	}
	return all
}

// step is one command and what it should print.
type step struct {
	command string
	want    string
	judged  bool // want counts
}

// steps are a block's commands.
func (b block) steps() []step {
	if !strings.HasPrefix(b.text, "$ ") {
		return []step{{command: "set -e\n" + b.text}}
	}
	var all []step
	for line := range strings.SplitSeq(b.text, "\n") {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			all = append(all, step{command: command})
			continue
		}
		s := &all[len(all)-1]
		if !s.judged && strings.HasSuffix(s.command, "\\") {
			s.command += "\n" + line
			continue
		}
		s.want, s.judged = s.want+line+"\n", true
	}
	return all
}

// matches compares what was printed with what the guide shows.
func (s step) matches(said string) bool {
	pattern := regexp.QuoteMeta(strings.TrimSpace(s.want))
	pattern = regexp.MustCompile(`(?m)^…$`).ReplaceAllString(pattern, `(?s:.*)`)
	pattern = strings.ReplaceAll(pattern, "…", `[^\n]*`)
	pattern = regexp.MustCompile(` {2,}`).ReplaceAllString(pattern, ` +`)
	return regexp.MustCompile(`\A` + pattern + `\z`).MatchString(strings.TrimSpace(said))
}

func pathOf(language, name string) string { return filepath.Join(docs, language, name) }
