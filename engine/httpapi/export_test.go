package httpapi

// Routes lists the routes, "METHOD /path" each.
func Routes() []string {
	var all []string
	for _, r := range new(api).routes() {
		all = append(all, r.method+" "+r.path)
	}
	return all
}

// ProblemKinds lists the names of the kinds of problem.
func ProblemKinds() []string {
	var names []string
	for _, k := range append(kinds(), noRoute, wrongMethod, foreignHost, foreignOrigin, refused, internal) {
		names = append(names, k.name)
	}
	return names
}
