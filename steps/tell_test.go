package steps_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps"
)

type loud struct{ said string }

func (l loud) Error() string   { return "exit status 1" }
func (l loud) Details() string { return l.said }

func TestAFailureIsToldInALine(t *testing.T) {
	long := "cannot fetch http://example.org/" + strings.Repeat("é/", 200) + "app.zip: 404 Not Found"
	for name, tt := range map[string]struct {
		err           steps.Error
		line, details string
	}{
		"short":        {steps.Error{Err: errors.New("no room"), Hint: "free some"}, "no room; free some", ""},
		"with details": {steps.Error{Err: errors.New("not well"), Details: "one\n\n  two \n"}, "not well", "one\n  two"},
		"the details of what it wraps": {
			steps.Error{Err: fmt.Errorf("hook: %w", loud{"a\x1b[31mb\xff"})}, "hook: exit status 1", "a [31mb\uFFFD",
		},
		"circumstances go first": {
			steps.Error{Err: errors.New("cannot download http://example.org/" + strings.Repeat("x", 60) + ".tope: release 1.2.0: refused: " + strings.Repeat("y", 100))},
			"release 1.2.0: refused: " + strings.Repeat("y", 100), "cannot download http://example.org/" + strings.Repeat("x", 60) + ".tope: release 1.2.0: refused: " + strings.Repeat("y", 100),
		},
		"what failed stays": {
			steps.Error{Err: errors.New("the keys cannot be used: read /etc/tope-updater/keys/" + strings.Repeat("x", 100) + ": the first line of it: no comment")},
			"the keys cannot be used: read /etc/tope-updater/keys/" + strings.Repeat("x", 26) + "..." + strings.Repeat("x", 44) + ": the first line of it: no comment",
			"the keys cannot be used: read /etc/tope-updater/keys/" + strings.Repeat("x", 100) + ": the first line of it: no comment",
		},
		"the middle goes": {
			steps.Error{Err: errors.New("api.service: ExecStart=/usr/local/bin/api leads to " + strings.Repeat("x", 60) + ", which cannot be executed: a program for another machine, which this kernel does not know at all")},
			"api.service: ExecStart=/usr/local/bin/api leads to " + strings.Repeat("x", 28) + "...xecuted: a program for another machine, which this kernel does not know at all",
			"api.service: ExecStart=/usr/local/bin/api leads to " + strings.Repeat("x", 60) + ", which cannot be executed: a program for another machine, which this kernel does not know at all",
		},
		"lines in a line": {steps.Error{Err: errors.New("one\ntwo\t\x00three")}, "one two three", ""},
	} {
		t.Run(name, func(t *testing.T) {
			line, details := tt.err.Tell()
			require.Equal(t, tt.line, line)
			require.Equal(t, tt.details, details)
		})
	}
	for _, hint := range []string{"", "try later", strings.Repeat("do this and that ", 8)} {
		line, details := (&steps.Error{Err: errors.New(long), Hint: hint, Details: strings.Repeat("log line é\n", 1000)}).Tell()
		require.LessOrEqual(t, len(line), steps.LongestLine+2+len(hint))
		require.True(t, strings.HasPrefix(line, "cannot fetch http://example.org/"), line)
		require.Contains(t, line, "404 Not Found")
		require.True(t, strings.HasSuffix(line, strings.TrimSpace(hint)), "what to do is not cut")
		require.Contains(t, details, long, "all of it is in the details")
		require.LessOrEqual(t, len(details), steps.LongestDetails)
		require.True(t, utf8.ValidString(line) && utf8.ValidString(details))
	}
}

// What turns the direction of a line would have it read as something else; a line
// separator would make two of it.
func TestATextCannotTurnTheLine(t *testing.T) {
	line, details := (&steps.Error{Code: steps.HealthFailed, Err: errors.New("no\u202efile\u2028pass  daemon"), Details: "a\u2066b\n\u2029喷嘴 \x9b31m"}).Tell()
	require.Equal(t, "no file pass daemon", line)
	require.NotContains(t, details, "\u2066")
	require.NotContains(t, details, "\u2029")
	require.Contains(t, details, "喷嘴")
}

func TestALineBeginsWithWhatMatters(t *testing.T) {
	long := strings.Repeat("x", 100)
	for _, c := range []struct {
		state, words, besides string
		limit                 int
		want                  string
	}{
		{"api is failed: exit status 1", "no key", " (and 2 more)", 60, "api is failed: exit status 1: no key (and 2 more)"},
		{"api is failed: exit status 1", "no key", "", 34, "api is failed: exit status 1"},
		{"api is failed: exit status 1", long, "", 60, "api is failed: exit status 1: " + long[:27] + "..."},
		{"api is failed: exit status 1", long, "", 45, "api is failed: exit status 1"},
		{"api is failed: exit status 1, restarted 4 times", "no key", " (and 2 more)", 45, "api is failed: exit status 1,... (and 2 more)"},
		{"api: é" + long, "", "", 10, "api: é..."},
	} {
		got := steps.Line(c.state, c.words, c.besides, c.limit)
		require.Equal(t, c.want, got)
		require.LessOrEqual(t, len(got), c.limit)
	}
}
