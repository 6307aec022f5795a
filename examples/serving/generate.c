/* Generates text with TensorFlow's C library and nothing else.

   generate MODEL_FOLDER PROMPT [MAX_NEW_TOKENS]

   An input that is not fed has its default, so the prompts alone would be enough. An input is the
   graph's operation of the same name; an output's operation also has its signature's name. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tensorflow/c/c_api.h>

static TF_Status *status;

static void check(const char *action) {
    if (TF_GetCode(status) == TF_OK) return;
    fprintf(stderr, "%s: %s\n", action, TF_Message(status));
    exit(1);
}

static TF_Output find(TF_Graph *graph, const char *name) {
    TF_Output output = {TF_GraphOperationByName(graph, name), 0};
    if (output.oper) return output;
    fprintf(stderr, "The model has no %s\n", name);
    exit(1);
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: %s MODEL_FOLDER PROMPT [MAX_NEW_TOKENS]\n", argv[0]);
        return 2;
    }
    status = TF_NewStatus();
    TF_Graph *graph = TF_NewGraph();
    TF_SessionOptions *options = TF_NewSessionOptions();
    const char *tags[] = {"serve"};
    TF_Session *session = TF_LoadSessionFromSavedModel(options, NULL, argv[1], tags, 1, graph,
                                                       NULL, status);
    check("loading");

    /* One row each: the batch is the first dimension of everything. */
    const int64_t one_row[] = {1};
    TF_Tensor *prompts = TF_AllocateTensor(TF_STRING, one_row, 1, sizeof(TF_TString));
    TF_TString *prompt = TF_TensorData(prompts);
    TF_StringInit(prompt);
    TF_StringCopy(prompt, argv[2], strlen(argv[2]));
    TF_Tensor *limit = TF_AllocateTensor(TF_INT32, one_row, 1, sizeof(int32_t));
    *(int32_t *)TF_TensorData(limit) = argc > 3 ? atoi(argv[3]) : 200;

    const TF_Output inputs[] = {find(graph, "prompts"), find(graph, "max_new_tokens")};
    TF_Tensor *const values[] = {prompts, limit};
    const TF_Output outputs[] = {find(graph, "generate/text")};
    TF_Tensor *results[1] = {NULL};
    TF_SessionRun(session, NULL, inputs, values, 2, outputs, results, 1, NULL, 0, NULL, status);
    check("running");

    const TF_TString *text = TF_TensorData(results[0]);
    printf("%s%.*s\n", argv[2], (int)TF_StringGetSize(text), TF_StringGetDataPointer(text));

    TF_DeleteTensor(results[0]);
    TF_DeleteTensor(limit);
    TF_StringDealloc(prompt);
    TF_DeleteTensor(prompts);
    TF_DeleteSession(session, status);
    TF_DeleteSessionOptions(options);
    TF_DeleteGraph(graph);
    TF_DeleteStatus(status);
    return 0;
}
