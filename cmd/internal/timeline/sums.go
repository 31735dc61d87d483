package timeline

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/tope/updater/cmd/internal/human"
)

// Lists are summed up where the reader wants one answer, not the items. The JSON has every item.

// checks sums up the results of a health gate: how many passed, and a line for
// each that did not. The decoder stands behind the list's bracket.
func (f *folder) checks(d *json.Decoder) error {
	passed, all := 0, 0
	for ; d.More(); all++ {
		var r struct {
			Service, Kind, Target, Text string
			Passed, Needed              bool
		}
		if err := d.Decode(&r); err != nil {
			return err
		}
		if r.Passed {
			passed++
			continue
		}
		line := strings.TrimSpace(fmt.Sprintf("not passed: %s %s %s", r.Service, r.Kind, r.Target)) + ": " + r.Text
		if !r.Needed {
			line += " (not needed)"
		}
		f.nested = append(f.nested, line)
	}
	f.fact("", fmt.Sprintf("%d of %d checks passed", passed, all))
	_, err := d.Token()
	return err
}

// started sums up which services were started, in order.
func (f *folder) started(d *json.Decoder) error {
	var list []string
	for d.More() {
		var s struct {
			Name   string
			Took   time.Duration `json:"took_ns"`
			Status struct {
				PID int `json:"main_pid"`
			}
		}
		if err := d.Decode(&s); err != nil {
			return err
		}
		list = append(list, fmt.Sprintf("%s in %s (process %d)", s.Name, human.Duration(s.Took), s.Status.PID))
	}
	if len(list) > 0 {
		f.fact("started", strings.Join(list, ", "))
	}
	_, err := d.Token()
	return err
}
