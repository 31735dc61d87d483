package unitfiles

import (
	"strings"

	"github.com/tope/updater/platform/service"
)

// commands reads the value of ExecStart= and its like: one command, or several with a
// lone ";" between them.
func (r *reader) commands(phase service.Phase, line string) (list []service.Execution) {
	var one []string
	end := func() {
		if len(one) > 0 {
			list = append(list, r.command(phase, one))
		}
		one = nil
	}
	for _, word := range split(line) {
		switch word {
		case ";":
			end()
			continue
		case `\;`:
			word = ";"
		}
		one = append(one, word)
	}
	end()
	return list
}

// command makes a command of its words. The characters before the program's path are
// systemd.service(5)'s.
func (r *reader) command(phase service.Phase, words []string) service.Execution {
	c := service.Execution{Phase: phase}
	path := strings.TrimLeft(words[0], "@-:+!|")
	before := words[0][:len(words[0])-len(path)]
	c.Lenient, c.Privileged = strings.Contains(before, "-"), strings.ContainsAny(before, "+!")
	c.Path = r.expand(path)
	args := words[1:]
	if !strings.Contains(before, "@") {
		args = append([]string{path}, args...)
	}
	for _, a := range args {
		c.Args = append(c.Args, r.expand(a))
	}
	return c
}

// split splits a line into words as systemd does: quotes keep a word together, and a
// backslash takes the next character as it is. Escapes of characters that nobody has in
// a path are not read.
func split(line string) (words []string) {
	var word strings.Builder
	open, quote, escaped := false, byte(0), false
	for i := range len(line) {
		c := line[i]
		switch {
		case escaped:
			if c == ';' && word.Len() == 0 && quote == 0 {
				word.WriteByte('\\')
			}
			word.WriteByte(c)
			escaped = false
		case c == '\\':
			escaped, open = true, true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteByte(c)
		case c == '"' || c == '\'':
			quote, open = c, true
		case c == ' ' || c == '\t':
			if open {
				words = append(words, word.String())
			}
			word.Reset()
			open = false
		default:
			word.WriteByte(c)
			open = true
		}
	}
	if open {
		words = append(words, word.String())
	}
	return words
}
