# Completion of punctual for fish. What can be typed is asked of the program itself:
#   punctual completions fish | source
function __punctual_complete
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    set -l current (commandline --current-token --cut-at-cursor)
    set -l found ($words[1] complete fish (count $words) -- $words $current 2>/dev/null)
    # Of a flag with its value behind =, only the value is a path.
    set -l flag (string match --regex -- '^--[^=]*=' $current)
    set -l path (string replace --regex -- '^--[^=]*=' '' $current)
    switch "$found[1]"
        case :files
            __fish_complete_path "$path" | string replace --regex -- '^' "$flag"
        case :folders
            __fish_complete_directories "$path" | string replace --regex -- '^' "$flag"
        case '*'
            string join \n -- $found
    end
end
complete --command punctual --no-files --keep-order --arguments '(__punctual_complete)'
