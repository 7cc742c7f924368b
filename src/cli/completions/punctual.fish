# Completion of punctual for fish. What can be typed is asked of the program itself:
#   punctual completions fish | source
function __punctual_complete
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    set -l current (commandline --current-token --cut-at-cursor)
    set -l found ($words[1] complete fish (count $words) -- $words $current 2>/dev/null)
    switch "$found[1]"
        case :files
            __fish_complete_path "$current"
        case :folders
            __fish_complete_directories "$current"
        case '*'
            string join \n -- $found
    end
end
complete --command punctual --no-files --keep-order --arguments '(__punctual_complete)'
