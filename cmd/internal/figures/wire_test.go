package figures_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// wire: how many bytes an update puts on the wire, for real pairs of releases,
// against other tools; and the cost of applying it.
func wire(b *testing.B, l *lab) []row {
	publish := newPublisher(b, l)
	server := serveCounted(b)
	var rows []row
	for _, p := range pairs() {
		rows = append(rows, p.take(b, l, publish, server)...)
	}
	return append(rows, versionOnly(b, l, publish, server))
}

// take measures one pair.
func (p pair) take(b *testing.B, l *lab, publish publisher, server *counted) []row {
	before, after := p.old.tree(b, p.name), p.new.tree(b, p.name)
	others := measure(b, before, after)
	oldBundle := publish.pack(b, before, p.old.version, 1)
	newBundle := publish.pack(b, after, p.new.version, 2, oldBundle)
	d := l.bootSigned(b, publish, "")
	first := d.take(b, server, oldBundle, p.old.version)
	update := d.take(b, server, newBundle, p.new.version)
	d.scrap(b)
	fresh := l.bootSigned(b, publish, "")
	whole := fresh.take(b, server, newBundle, p.new.version)
	fresh.scrap(b)
	_ = first
	l.wires = append(l.wires, wireLine{p, others, whole, update})

	files := countFiles(b, after)
	what := func(text string) string { return p.String() + ": " + text }
	size := func(n int64) quantity { return quantity{float64(n), wireBytes} }
	rows := []row{{
		what: what("head, against 100 bytes a file + 2 KiB"), metric: p.metric("head"),
		ours: size(update.Head), floor: ref(size(100*files + 2<<10)), reach: 1,
	}}
	if others.Zstd > 0 {
		beyond := row{
			what: what("beyond the head, against tar.zst -19"), metric: p.metric("beyond"),
			ours: size(update.bytes - update.Head), floor: ref(size(others.Zstd)), reach: 0.5,
		}
		if p.script {
			beyond.reach = 0.005
		}
		rows = append(rows, beyond, row{
			what: what("first install, against tar.zst -19"), metric: p.metric("first"),
			ours: size(whole.bytes), floor: ref(size(others.Zstd)), reach: 1.1,
		})
	}
	if least := others.least(); least > 0 {
		rows = append(rows, row{
			what: what("in all, against the less of casync and zchunk"), metric: p.metric("rivals"),
			ours: size(update.bytes), floor: ref(size(least)), reach: 1,
		})
	}
	return rows
}

// versionOnly: an update in which only the version changed.
func versionOnly(b *testing.B, l *lab, publish publisher, server *counted) row {
	p := pairs()[0]
	tree := p.new.tree(b, p.name)
	before := publish.pack(b, tree, "1.2.0", 1)
	after := publish.pack(b, tree, "1.2.1", 2, before)
	d := l.bootSigned(b, publish, "")
	d.take(b, server, before, "1.2.0")
	update := d.take(b, server, after, "1.2.1")
	d.scrap(b)
	return row{
		what: "nothing changed but the version: in all, against the head alone", metric: "version-only",
		ours: quantity{float64(update.bytes), wireBytes}, floor: ref(quantity{float64(update.Head), wireBytes}), reach: 1,
	}
}

func countFiles(b *testing.B, dir string) int64 {
	b.Helper()
	return int64(len(strings.Fields(run(b, dir, "find", ".", "-type", "f", "-printf", "x "))))
}

// wireLine is a line of the table that compares everybody's bytes.
type wireLine struct {
	pair          pair
	others        rivals
	whole, update installed
}

func (w wireLine) cells() []string {
	size := func(n int64) string {
		if n == 0 {
			return "not here"
		}
		return quantity{float64(n), wireBytes}.String()
	}
	return []string{
		w.pair.String(), size(w.others.Zip), size(w.others.Zstd), size(w.others.Casync), size(w.others.Zchunk),
		size(w.update.Head), size(w.update.bytes), fmt.Sprint(w.update.requests), size(w.whole.bytes),
		duration(w.update.staged).String(), quantity{w.update.peak, mebibytes}.String(),
	}
}

// wires prints as a table of its own.
type wires []wireLine

func (w wires) String() string {
	if len(w) == 0 {
		return ""
	}
	lines := [][]string{{
		"bytes on the wire", "zip -9", "tar.zst -19", "casync", "zchunk", "our head", "ours in all", "requests", "our first install",
		"time to apply", "peak memory",
	}}
	missing := map[string]bool{}
	for _, line := range w {
		lines = append(lines, line.cells())
		for _, m := range line.others.Missing {
			missing[m] = true
		}
	}
	text := markdown(lines)
	for m := range missing {
		text += m + ": its figures are not taken\n"
	}
	return text + fmt.Sprintf("(%d processors)\n", runtime.NumCPU())
}
