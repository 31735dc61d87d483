package engine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
)

// transcripts is where the stories are.
const transcripts = "../testdata/transcripts"

// A transcript is a story of the engine on a device, in a file that is read
// from top to bottom: a header that says what it is about, then commands, each
// with its result below a line of dashes. The engine, its table and its
// recovery are the real ones; the device is enginetest's.
//
//	go test ./engine -run Transcripts -update
//
// writes the results of the commands into the files. Read the difference before
// you commit it: it is what your change does to devices.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(transcripts, "*.txt"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 15)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			header, scenes := parseTranscript(t, string(text))
			fresh := header
			n := newNarrator(t)
			defer n.end()
			for _, s := range scenes {
				fresh += "\n" + strings.Join(s, "\n") + "\n----\n" + n.play(s)
			}
			if *engine.Update {
				require.NoError(t, os.WriteFile(file, []byte(fresh), 0o644))
				return
			}
			require.Equal(t, string(text), fresh, "the engine does not do what the transcript tells; if it is right: go test ./engine -run Transcripts -update")
		})
	}
}

// parseTranscript splits a file into its header and the commands of each scene.
// The results, below the dashes and up to an empty line, are left out.
func parseTranscript(t *testing.T, text string) (header string, scenes [][]string) {
	t.Helper()
	var scene []string
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	i := 0
	for ; i < len(lines) && strings.HasPrefix(lines[i], "#"); i++ {
		header += lines[i] + "\n"
	}
	require.Greater(t, i, 1, "a transcript begins with a header that says what it is about")
	for ; i < len(lines); i++ {
		switch line := strings.TrimSpace(lines[i]); {
		case line == "----":
			scenes = append(scenes, scene)
			scene = nil
			for i+1 < len(lines) && lines[i+1] != "" {
				i++
			}
		case line != "":
			scene = append(scene, line)
		}
	}
	if scene != nil {
		scenes = append(scenes, scene) // it has not been played yet
	}
	return header, scenes
}

// A transcript that is written anew must not lose a command.
func TestParseTranscript(t *testing.T) {
	header, scenes := parseTranscript(t, "# A title\n# and more\n\ninstall 1.1.0\nreboot\n----\nwhat came of it\n  more\n\ncancel\n")
	require.Equal(t, "# A title\n# and more\n", header)
	require.Equal(t, [][]string{{"install 1.1.0", "reboot"}, {"cancel"}}, scenes)
	require.Equal(t, "[[install 1.1.0 reboot] [cancel]]", fmt.Sprint(scenes))
}
