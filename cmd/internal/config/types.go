package config

import (
	"fmt"
	"strings"
)

// inPlainWords turns what the decoder says of a value of another type into the words of
// this format. Other words of the decoder are returned as they are.
func inPlainWords(key, what string) string {
	if number, out := strings.CutSuffix(what, " is out of range for int64"); out {
		return number + " is too large a number"
	}
	if _, found, is := strings.Cut(what, ": expected table but found "); is {
		return fmt.Sprintf("this is %s, and has to be a table", kind(found))
	}
	types, is := strings.CutPrefix(what, "incompatible types: TOML value has type ")
	found, wanted, both := strings.Cut(types, "; destination has type ")
	if !is || !both {
		return what
	}
	wanted = kind(wanted)
	if wanted == list && tables(key) {
		wanted = "a list of tables: write [[" + key + "]]"
	}
	return fmt.Sprintf("this is %s, and has to be %s", kind(found), wanted)
}

const list = "a list in brackets"

// kind is the word for a type of Go, as the decoder names it.
func kind(name string) string {
	switch name {
	case "string", "primitive (string-like)":
		return "text in quotes"
	case "int64", "integer":
		return "a whole number"
	case "float64", "float":
		return "a number with a fraction"
	case "bool", "boolean":
		return "true or false"
	case "time.Time":
		return "a date"
	case "[]any", "slice":
		return list
	case "[]map[string]any":
		return "a list of tables"
	}
	return "a table"
}

// tables reports whether a key is that of a list of tables.
func tables(key string) bool {
	parts := strings.Split(key, ".")
	last := len(parts) - 1
	_, is := fieldOf(tableOf(parts[:last]), parts[last])
	return is
}
