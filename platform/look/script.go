package look

import (
	"path/filepath"
	"slices"
	"strings"
)

// interpreter is a family of programs that execute the file that their arguments name.
type interpreter struct {
	names []string
	// flags are the options of one letter that take no word after them and leave the
	// first other word the script. After any other option it is not known what is one.
	flags string
	// trees: the script may be a directory.
	trees bool
	// before is the option that has to stand before the script; "" for none.
	before string
}

func interpreters() []interpreter {
	return []interpreter{
		{names: []string{"sh", "bash", "dash", "ash", "ksh", "zsh"}, flags: "eux"},
		{names: []string{"python"}, flags: "bBdEiIOqsSuvx", trees: true},
		{names: []string{"node", "nodejs"}, trees: true},
		{names: []string{"perl"}, flags: "tTuUwW"},
		{names: []string{"ruby"}, flags: "wv"},
		{names: []string{"lua", "luajit"}},
		{names: []string{"php"}, flags: "nq"},
		{names: []string{"java"}, before: "-jar"},
	}
}

// interpreterAt finds the family of a program by its name, which may have a version
// (python3.11).
func interpreterAt(program string) (i interpreter, known bool) {
	name := strings.TrimRight(filepath.Base(program), "0123456789.")
	for _, one := range interpreters() {
		if slices.Contains(one.names, name) {
			return one, true
		}
	}
	return i, false
}

// Interprets reports whether a program is a well-known interpreter: what it runs is
// another file, wherever the program itself lies.
func Interprets(program string) bool {
	_, known := interpreterAt(program)
	return known
}

// scriptOf is the file that an interpreter is certain to execute, of the words of a
// command; "" when there is none, or when it cannot be told: most programs' arguments are
// not files, or are files that the program makes.
func scriptOf(words []string) (script string, tree bool) {
	if len(words) > 1 && filepath.Base(words[0]) == "env" && !strings.HasPrefix(words[1], "-") && !strings.Contains(words[1], "=") {
		words = words[1:]
	}
	if len(words) == 0 {
		return "", false
	}
	i, known := interpreterAt(words[0])
	if !known {
		return "", false
	}
	ready := i.before == ""
	for _, word := range words[1:] {
		switch {
		case word == i.before && word != "":
			ready = true
		case !strings.HasPrefix(word, "-") && ready:
			return word, i.trees
		case !i.plain(word):
			return "", false
		}
	}
	return "", false
}

// plain reports whether an option takes no word after it.
func (i interpreter) plain(word string) bool {
	switch {
	case strings.HasPrefix(word, "--") && len(word) > 2:
		return strings.Contains(word, "=")
	case i.before != "":
		return strings.HasPrefix(word, "-X") || strings.HasPrefix(word, "-D") // java
	}
	letters, option := strings.CutPrefix(word, "-")
	return option && letters != "" && strings.Trim(letters, i.flags) == ""
}
