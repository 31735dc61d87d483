package guidetest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
)

// Tour is the order in which the guides are played: each goes on with the device
// as the one before it left it.
func Tour() []string {
	return []string{
		"DEPLOYMENT.md", "SYMLINKS.md", "ROLLBACK.md", "RECOVERY.md", "FAQ.md",
	}
}

// Path is the path of a guide, by its language, "" for English, and its name.
func Path(language, name string) string {
	return filepath.Join(builttest.Top(), "docs", language, name)
}

// Kind is how a test treats a block.
type Kind string

// The kinds of blocks.
const (
	Shown  Kind = "shown"  // run, and its output compared
	Hidden Kind = "hidden" // run; readers do not see it
	Cut    Kind = "cut"    // no commands: the power goes
	Unrun  Kind = "unrun"  // for reading only
)

// Block is one piece of a guide that means something to the tests.
type Block struct {
	Kind Kind
	// Line is where the block begins in the guide.
	Line int
	Text string
	// Exit is the exit code of the block's last command.
	Exit int
	// Fresh blocks are played on a device of their own, There blocks on the last such device.
	Fresh, There bool
	// Why is the reason why the block is not run.
	Why string
}

var (
	fence   = regexp.MustCompile("^```(.*)$")
	unseen  = regexp.MustCompile("^<!-- run( fresh)?$")
	notRun  = regexp.MustCompile(`^<!-- not run: (.+) -->$`)
	exiting = regexp.MustCompile(`\bexit=(\d+)\b`)
)

// Blocks reads a guide.
func Blocks(t testing.TB, path string) []Block {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var all []Block
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
			all = append(all, Block{Kind: Cut, Line: at})
		case unseen.MatchString(line):
			all = append(all, Block{Kind: Hidden, Line: at, Text: until("-->"), Fresh: strings.HasSuffix(line, "fresh")})
		case notRun.MatchString(line):
			why = notRun.FindStringSubmatch(line)[1]
			continue
		case fence.MatchString(line):
			info := strings.Fields(fence.FindStringSubmatch(line)[1])
			b := Block{Line: at, Text: until("```"), Kind: Unrun, Why: why}
			if len(info) == 0 || info[0] != "sh" {
				break
			}
			if len(info) > 1 && info[1] == "run" {
				b.Kind = Shown
			}
			b.Fresh, b.There = slices.Contains(info, "fresh"), slices.Contains(info, "there")
			if m := exiting.FindStringSubmatch(strings.Join(info, " ")); m != nil {
				_, _ = fmt.Sscan(m[1], &b.Exit)
			}
			all = append(all, b)
		case strings.TrimSpace(line) == "":
			continue
		}
		why = ""
	}
	return all
}

// Step is one command and what it should print.
type Step struct {
	Command string
	Want    string
	// Judged: the output must match Want.
	Judged bool
}

// Steps are a block's commands.
func (b Block) Steps() []Step {
	if !strings.HasPrefix(b.Text, "$ ") {
		return []Step{{Command: "set -e\n" + b.Text}}
	}
	var all []Step
	for line := range strings.SplitSeq(b.Text, "\n") {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			all = append(all, Step{Command: command})
			continue
		}
		s := &all[len(all)-1]
		if !s.Judged && strings.HasSuffix(s.Command, "\\") {
			s.Command += "\n" + line
			continue
		}
		s.Want, s.Judged = s.Want+line+"\n", true
	}
	return all
}

// Matches compares the output with the guide's.
func (s Step) Matches(said string) bool {
	pattern := regexp.QuoteMeta(strings.TrimSpace(s.Want))
	pattern = regexp.MustCompile(`(?m)^…$`).ReplaceAllString(pattern, `(?s:.*)`)
	pattern = strings.ReplaceAll(pattern, "…", `[^\n]*`)
	pattern = regexp.MustCompile(` {2,}`).ReplaceAllString(pattern, ` +`)
	return regexp.MustCompile(`\A` + pattern + `\z`).MatchString(strings.TrimSpace(said))
}
