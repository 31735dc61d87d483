package systemd

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/service"
)

// LogOf implements service.LogKeeper.
func (m *Manager) LogOf(s service.Service) string { return "journalctl -u " + s.UnitName() }

// syncTimeout bounds the wait for the journal to take what was printed.
const syncTimeout = 2 * time.Second

// Tail implements service.LogKeeper by journalctl, which reads every format of
// systemd's journal. What systemd itself says of the unit is among the lines.
func (m *Manager) Tail(ctx context.Context, s service.Service, since time.Duration, n int) ([]service.LogLine, error) {
	// What a process printed just before it ended may still be on its way. Without
	// the sync (an old systemd, no permission) the newest lines may be missing.
	syncing, cancel := context.WithTimeout(ctx, syncTimeout)
	_, _ = m.cfg.Journalctl(syncing, "--sync")
	cancel()
	// The newest entry of all is of this boot. journalctl's own -b goes by a file of
	// /proc that is another one in a sandbox within a container.
	newest, err := m.entries(ctx, "-n", "1")
	if err != nil || len(newest) == 0 {
		return nil, err
	}
	found, err := m.entries(ctx, "-n", strconv.Itoa(n), "-u", s.UnitName())
	var lines []service.LogLine
	for _, e := range found {
		if e.Boot == newest[0].Boot && e.at() >= since {
			for line := range strings.SplitSeq(message(e.Message), "\n") {
				lines = append(lines, service.LogLine{Text: line, About: e.PID == "1"})
			}
		}
	}
	return lines[max(0, len(lines)-n):], err
}

// entry is what is needed of an entry of the journal. The monotonic time is
// compared, as the wall clock may have jumped.
type entry struct {
	Message json.RawMessage `json:"MESSAGE"`
	Mono    string          `json:"__MONOTONIC_TIMESTAMP"`
	Boot    string          `json:"_BOOT_ID"`
	PID     string          `json:"_PID"`
}

// at is the time since boot; -1 when that is not known.
func (e entry) at() time.Duration {
	at, err := strconv.ParseInt(e.Mono, 10, 64)
	if err != nil {
		return -1
	}
	return time.Duration(at) * time.Microsecond
}

// entries asks journalctl for entries, which come as a JSON object a line.
func (m *Manager) entries(ctx context.Context, args ...string) (all []entry, err error) {
	out, err := m.cfg.Journalctl(ctx, append([]string{"-o", "json", "--no-pager", "-q"}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("cannot read systemd's journal: %w", err)
	}
	for raw := range bytes.Lines(out) {
		var e entry
		if json.Unmarshal(raw, &e) == nil {
			all = append(all, e)
		}
	}
	return all, nil
}

// message is the text of an entry: a string, or a list of numbers when it is not
// UTF-8, or null when it is very long.
func message(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var numbers []int
	if json.Unmarshal(raw, &numbers) != nil {
		return ""
	}
	data := make([]byte, 0, len(numbers))
	for _, b := range numbers {
		data = append(data, byte(b))
	}
	return string(data)
}

// longestLog bounds what is read of journalctl, in bytes.
const longestLog = 1 << 20

// systemsOwn is a program of the system. The search path of a service has /usr/local/bin
// first, where releases have their links.
func systemsOwn(name string) string {
	for _, dir := range []string{"/usr/bin", "/bin"} {
		if path := dir + "/" + name; unix.Access(path, unix.X_OK) == nil {
			return path
		}
	}
	return "/usr/bin/" + name
}

// journalctl runs the program of that name.
func journalctl(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, systemsOwn("journalctl"), args...)
	// Not /usr/local/bin, where releases have their links.
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_COLORS=0", "LC_ALL=C"}
	cmd.WaitDelay = time.Second
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(pipe, longestLog))
	if err == nil {
		_, err = io.Copy(io.Discard, pipe)
	}
	if werr := cmd.Wait(); werr != nil {
		return nil, werr
	}
	return slices.Clip(out), err
}
