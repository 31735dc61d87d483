package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// maxSize is far above any sensible configuration; it keeps a wrong --config
// from filling the memory of a small device.
const maxSize = 64 << 10

// Example has every key at its default. The packages install it.
const Example = "/usr/share/tope-updater/examples/config.toml"

// ErrMistake is the error of a file that is there and has a mistake in it, which its text tells.
var ErrMistake = errors.New("a mistake in the configuration")

// Mistaken is err as an ErrMistake: a file that the configuration names cannot be used.
func Mistaken(err error) error { return &mistake{err} }

// mistake is an ErrMistake whose text is the error's alone.
type mistake struct{ error }

func (m *mistake) Unwrap() error        { return m.error }
func (m *mistake) Is(target error) bool { return target == ErrMistake }

// Load reads and checks the file at a host path, which has to be there. Every error
// names the file, and the line where one is to blame.
func Load(path string) (Config, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Config{}, fmt.Errorf("cannot read the configuration: %w; "+Example+" is one to begin with", err)
	case err != nil:
		return Config{}, fmt.Errorf("cannot read the configuration: %w", err)
	case info.Size() > maxSize:
		return Config{}, fmt.Errorf("%s: a file of %d bytes is not a configuration; give --config the updater's TOML file", path, info.Size())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("cannot read the configuration: %w", err)
	}
	c, err := Parse(text)
	if err != nil {
		// One line for each mistake, and the file's name in each.
		return Config{}, &mistake{fmt.Errorf("%s:%s", path, strings.ReplaceAll(err.Error(), "\n", "\n"+path+": "))}
	}
	return c, nil
}

// LoadDefault is Load for the file that nobody has named: a missing one is not an
// error, and the defaults are in force.
func LoadDefault(path string) (Config, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return Default(), nil
	}
	return Load(path)
}

// Parse reads a configuration from its text. An error begins with the line
// and a colon, or with a blank when no one line is to blame.
func Parse(text []byte) (Config, error) {
	c := Default()
	services := c.Service
	c.Service = nil
	meta, err := toml.Decode(string(text), &c)
	if err != nil {
		return Config{}, located(err)
	}
	if unknown := unknownKeys(meta); len(unknown) > 0 {
		return Config{}, fmt.Errorf("%d: unknown key %s; %s", lineOf(text, unknown[0]), unknown[0], siblings(unknown[0]))
	}
	// The decoder passes over a list where it wants a table of names.
	if kind := meta.Type("fleet", "attributes"); kind == "Array" {
		return Config{}, fmt.Errorf("%d: fleet.attributes: this is a list in brackets, and has to be a table like { site = \"lab\" }", lineOf(text, "fleet.attributes"))
	}
	if c.Service == nil {
		c.Service = []Service{{Name: services[0].Name}}
	}
	c.fill()
	if err := errors.Join(c.validate(), emptyCredentials(text)); err != nil {
		return Config{}, fmt.Errorf(" %w", err)
	}
	return c, nil
}

// emptyCredentials reports the files of a device's own certificate that are set to
// nothing, as a template whose variable is not set writes them: the device would go
// without. Elsewhere "" is a default.
func emptyCredentials(text []byte) error {
	var written struct {
		Download struct {
			Server []struct {
				Cert *string `toml:"client_cert"`
				Key  *string `toml:"client_key"`
			}
		}
	}
	if _, err := toml.Decode(string(text), &written); err != nil {
		return err
	}
	var problems []error
	for i, s := range written.Download.Server {
		for _, f := range []struct {
			key  string
			file *string
		}{{"client_cert", s.Cert}, {"client_key", s.Key}} {
			if f.file != nil && *f.file == "" {
				problems = append(problems, fmt.Errorf("download.server.%s: in table %d, it is empty: name a file, or leave the key out", f.key, i+1))
			}
		}
	}
	return errors.Join(problems...)
}

// unknownKeys are the keys no field takes, in the order of the file. The decoder
// ignores case. Here a key that matches only without case is unknown: otherwise
// "listen" and "Listen" in one file would win by chance. In a table of names that the
// operator chooses, every key is known.
func unknownKeys(meta toml.MetaData) []string {
	undecoded := map[string]bool{}
	for _, k := range meta.Undecoded() {
		undecoded[k.String()] = true
	}
	var unknown []string
	for _, k := range meta.Keys() {
		if s := k.String(); undecoded[s] || s != strings.ToLower(s) && !chosen(k) {
			unknown = append(unknown, s)
		}
	}
	return unknown
}

// siblings lists the keys that are allowed where an unknown one stands.
func siblings(key string) string {
	parts := strings.Split(key, ".")
	t := tableOf(parts[:len(parts)-1])
	var names []string
	for f := range t.Fields() {
		if name := f.Tag.Get("toml"); name != "-" {
			names = append(names, name)
		}
	}
	return "there are " + strings.Join(names, ", ")
}

// chosen reports whether the operator chooses the name of a key.
func chosen(key toml.Key) bool {
	if len(key) < 2 {
		return false
	}
	parent := key[:len(key)-1]
	for f := range tableOf(parent[:len(parent)-1]).Fields() {
		if f.Tag.Get("toml") == parent[len(parent)-1] && f.Type.Kind() == reflect.Map {
			return true
		}
	}
	return false
}

// tableOf is the struct behind the keys, as far as they lead to one.
func tableOf(keys []string) reflect.Type {
	t := reflect.TypeFor[Config]()
	for _, key := range keys {
		f, ok := fieldOf(t, key)
		if !ok {
			break
		}
		t = f
	}
	return t
}

// fieldOf is the struct behind a key: a table, or an array of tables.
func fieldOf(t reflect.Type, key string) (reflect.Type, bool) {
	for f := range t.Fields() {
		inner := f.Type
		if inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if f.Tag.Get("toml") == key && inner.Kind() == reflect.Struct {
			return inner, true
		}
	}
	return nil, false
}

// lineOf finds the line of an unknown key. The decoder keeps no position for such
// keys, so it reads the text again with one more line each time: the statement
// with the key begins after the last prefix that parses without the key.
func lineOf(text []byte, key string) int {
	lines := bytes.SplitAfter(text, []byte("\n"))
	prefix, begin := 0, 1
	for i, line := range lines {
		prefix += len(line)
		var any map[string]any
		meta, err := toml.Decode(string(text[:prefix]), &any)
		if err != nil {
			continue // in the middle of a value of several lines
		}
		for _, k := range meta.Keys() {
			if k.String() == key {
				return begin
			}
		}
		begin = i + 2
	}
	return begin
}

// located turns the decoder's errors into "LINE: what is wrong".
func located(err error) error {
	var pe toml.ParseError
	if errors.As(err, &pe) {
		if pe.LastKey != "" && !strings.Contains(pe.Message, pe.LastKey) {
			return fmt.Errorf("%d: %s: %s", pe.Position.Line, pe.LastKey, inPlainWords(pe.LastKey, pe.Message))
		}
		return fmt.Errorf("%d: %s", pe.Position.Line, pe.Message)
	}
	// A value of the wrong type comes as text: toml: line 3 (last key "a.b"): …
	text := strings.TrimPrefix(err.Error(), "toml: ")
	number, _, _ := strings.Cut(strings.TrimPrefix(text, "line "), " ")
	if line, err := strconv.Atoi(number); err == nil {
		if _, rest, ok := strings.Cut(text, `(last key "`); ok {
			key, what, _ := strings.Cut(rest, `"): `)
			return fmt.Errorf("%d: %s: %s", line, key, inPlainWords(key, what))
		}
	}
	return fmt.Errorf(" %s", text)
}
