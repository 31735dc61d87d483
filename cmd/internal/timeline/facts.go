package timeline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tope/updater/cmd/internal/human"
	"github.com/tope/updater/platform/versions"
)

// facts turns evidence into lines: the first has the plain fields, and each
// nested object gets a line after it. The order of the fields is the evidence's
// own. Evidence of steps that this program does not know is told as well.
func facts(raw json.RawMessage) []string {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var f folder
	if err := f.value(d, ""); err != nil {
		return []string{string(raw)}
	}
	lines := f.nested
	if len(f.plain) > 0 {
		lines = append([]string{strings.Join(f.plain, ", ")}, lines...)
	}
	return lines
}

type folder struct{ plain, nested []string }

// value reads one JSON value and files it under key.
func (f *folder) value(d *json.Decoder, key string) error {
	tok, err := d.Token()
	if err != nil {
		return err
	}
	switch v := tok.(type) {
	case json.Delim:
		switch {
		case v == '[' && key == "results":
			return f.checks(d)
		case v == '[' && key == "started":
			return f.started(d)
		case v == '[':
			return f.list(d, key)
		}
		return f.object(d, key)
	case string:
		f.text(key, v)
	case json.Number:
		if !moment(key) {
			f.fact(number(key, v))
		}
	case bool:
		f.fact(map[bool]string{true: "", false: "not "}[v]+words(key), "")
	}
	return nil
}

// text files a string. A value that explains itself goes without its key.
func (f *folder) text(key, v string) {
	switch {
	case v == "" || moment(key):
	case key == "name" || key == "service" || key == "kind" || key == "target" || key == "what" || key == "text":
		f.fact("", v)
	default:
		if at, err := time.Parse(time.RFC3339, v); err == nil {
			if v = at.UTC().Format("15:04:05 UTC"); at.IsZero() {
				v = noTime
			}
		}
		f.fact(key, short(key, v))
	}
}

// moment reports whether a field is a clock reading that people do not need: they
// have the times of the entries.
func moment(key string) bool {
	return key == "boot" || key == "mono" || key == "mono_ns" || key == "started"
}

func (f *folder) fact(key, value string) {
	f.plain = append(f.plain, strings.TrimSpace(words(key)+" "+value))
}

func (f *folder) object(d *json.Decoder, key string) error {
	var inner folder
	for d.More() {
		k, err := d.Token()
		if err != nil {
			return err
		}
		if err := inner.value(d, fmt.Sprint(k)); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	if key == "" {
		f.plain, f.nested = append(f.plain, inner.plain...), append(f.nested, inner.nested...)
		return nil
	}
	if len(inner.plain) > 0 {
		f.nested = append(f.nested, words(key)+": "+strings.Join(inner.plain, ", "))
	}
	for _, n := range inner.nested {
		f.nested = append(f.nested, words(key)+", "+n)
	}
	return nil
}

// most is how many items of a list are told; the JSON has them all.
const most = 8

func (f *folder) list(d *json.Decoder, key string) error {
	var plain []string
	n := 0
	for ; d.More(); n++ {
		var inner folder
		if err := inner.value(d, ""); err != nil {
			return err
		}
		switch {
		case n >= most:
		case len(inner.nested) > 0 || len(inner.plain) > 1:
			f.nested = append(f.nested, words(key)+": "+strings.Join(inner.plain, ", "))
			for _, l := range inner.nested {
				f.nested = append(f.nested, words(key)+", "+l)
			}
		default:
			plain = append(plain, inner.plain...)
		}
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	if n > most {
		plain = append(plain, fmt.Sprintf("and %d more", n-most))
	}
	if len(plain) > 0 {
		f.fact(key, strings.Join(plain, " "))
	}
	return nil
}

// words makes a field's name readable.
func words(key string) string {
	return strings.ReplaceAll(strings.TrimSuffix(key, "_ns"), "_", " ")
}

// number writes a number in its unit, which the field's name tells.
func number(key string, n json.Number) (string, string) {
	i, err := n.Int64()
	if err != nil {
		return key, n.String()
	}
	switch {
	case strings.HasSuffix(key, "_ns") || key == "took":
		return key, human.Duration(time.Duration(i))
	case key == "bytes" || key == "size":
		return "", human.Bytes(i)
	case strings.HasSuffix(key, "_bytes") || strings.HasSuffix(key, "_size"):
		return key, human.Bytes(i)
	}
	return key, strconv.FormatInt(i, 10)
}

// short cuts digests to the part that two people compare over a phone.
func short(key, v string) string {
	long := strings.HasSuffix(key, "digest") || strings.HasSuffix(key, "sha256") || strings.HasSuffix(key, "md5")
	if alg, hex, ok := strings.Cut(v, ":"); long && ok && len(hex) > 16 {
		return alg + ":" + hex[:12] + "..."
	} else if long && !ok && len(v) > 16 {
		return v[:12] + "..."
	}
	return v
}

func pointers(p versions.Pointers) string {
	name := func(v string) string {
		if v == "" {
			return "none"
		}
		return v
	}
	return fmt.Sprintf("current %s, previous %s, factory %s", name(p.Current), name(p.Previous), name(p.Factory))
}
