package figures_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// row is one figure: a ratio against a floor or, when there is none, a value.
type row struct {
	what string
	// metric names the row in the benchmark's own output.
	metric string
	ours   quantity
	floor  *quantity
	// reach is what the ratio, or the value, should not exceed; 0 when the row
	// has no aim and is there to be seen.
	reach float64
}

// quantity is a number and how it is written.
type quantity struct {
	of   float64
	kind kind
}

type kind int

const (
	count kind = iota
	decimal
	seconds
	mebibytes // memory
	megabytes // files
	wireBytes // what is on the wire
)

// nothing is the bound of a value that has to be zero.
const nothing = 0.5

const (
	mebi = 1 << 20
	mega = 1e6
)

func duration(d time.Duration) quantity { return quantity{d.Seconds(), seconds} }

func ref(q quantity) *quantity { return &q }

// against is a row of two durations.
func against(metric, what string, ours, floor time.Duration, reach float64) row {
	return row{what: what, metric: metric, ours: duration(ours), floor: ref(duration(floor)), reach: reach}
}

func (q quantity) String() string {
	switch {
	case q.kind == count:
		return fmt.Sprintf("%.0f", q.of)
	case q.kind == decimal:
		return fmt.Sprintf("%.2f", q.of)
	case q.kind == mebibytes:
		return fmt.Sprintf("%.1f MiB", q.of/mebi)
	case q.kind == megabytes:
		return fmt.Sprintf("%.2f MB", q.of/mega)
	case q.kind == wireBytes && q.of < 1e4:
		return fmt.Sprintf("%.0f B", q.of)
	case q.kind == wireBytes && q.of < mega:
		return fmt.Sprintf("%.1f kB", q.of/1e3)
	case q.kind == wireBytes:
		return fmt.Sprintf("%.2f MB", q.of/mega)
	case q.of >= 1:
		return fmt.Sprintf("%.2f s", q.of)
	case q.of >= 1e-3:
		return fmt.Sprintf("%.2f ms", q.of*1e3)
	}
	return fmt.Sprintf("%.0f µs", q.of*1e6)
}

func (r row) value() float64 {
	if r.floor == nil {
		return r.ours.of
	}
	return r.ours.of / r.floor.of
}

func (r row) unit() string {
	if r.floor == nil {
		return r.metric
	}
	return r.metric + "-x-floor"
}

func (r row) cells() []string {
	floor, ratio, reach, verdict := "", "", "≤ "+quantity{r.reach, r.ours.kind}.String(), "ok"
	if r.floor != nil {
		floor, ratio, reach = r.floor.String(), times(r.value()), fmt.Sprintf("≤ %g ×", r.reach)
	}
	switch {
	case r.reach == 0:
		reach, verdict = "", ""
	case r.value() > r.reach:
		verdict = "over"
	}
	return []string{r.what, r.ours.String(), floor, ratio, reach, verdict}
}

// times writes a ratio with two digits that say something.
func times(ratio float64) string {
	if ratio > 0 && ratio < 0.1 {
		return fmt.Sprintf("%.2g ×", ratio)
	}
	return fmt.Sprintf("%.2f ×", ratio)
}

// table prints as Markdown that is readable as plain text.
type table []row

func (t table) String() string {
	lines := [][]string{{"what", "ours", "floor", "ratio", "to reach", ""}}
	for _, r := range t {
		lines = append(lines, r.cells())
	}
	return markdown(lines)
}

// markdown aligns the cells; the first line is the head.
func markdown(lines [][]string) string {
	widths := make([]int, len(lines[0]))
	for _, l := range lines {
		for i, cell := range l {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	rule := make([]string, len(widths))
	for i, w := range widths {
		rule[i] = strings.Repeat("-", w)
	}
	var out strings.Builder
	for _, l := range slices.Insert(lines, 1, rule) {
		out.WriteString("|")
		for i, cell := range l {
			fmt.Fprintf(&out, " %-*s |", widths[i], cell)
		}
		out.WriteString("\n")
	}
	return out.String()
}

// median sorts d.
func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func TestTable(t *testing.T) {
	require.Equal(t, ""+
		"| what   | ours     | floor  | ratio  | to reach   |      |\n"+
		"| ------ | -------- | ------ | ------ | ---------- | ---- |\n"+
		"| a poll | 150 µs   | 100 µs | 1.50 × | ≤ 1.5 ×    | ok   |\n"+
		"| memory | 21.0 MiB |        |        | ≤ 20.0 MiB | over |\n"+
		"| writes | 20       |        |        | ≤ 24       | ok   |\n"+
		"| floor  | 150 µs   | 50 µs  | 3.00 × |            |      |\n",
		table{
			against("poll", "a poll", 150*time.Microsecond, 100*time.Microsecond, 1.5),
			{what: "memory", ours: quantity{21 * mebi, mebibytes}, reach: 20 * mebi},
			{what: "writes", ours: quantity{20, count}, reach: 24},
			against("floor", "floor", 150*time.Microsecond, 50*time.Microsecond, 0),
		}.String())
}
